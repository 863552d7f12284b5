"""One process, one invented hospital: SMART App Launch 2.2 authorization and FHIR R4 read and search over real HTTP."""
