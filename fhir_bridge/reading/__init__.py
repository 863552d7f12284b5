"""Reading raw FHIR for people: plain words first, the clinical ones beside them, and never a fact that is not there."""
