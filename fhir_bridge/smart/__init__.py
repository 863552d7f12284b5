"""SMART App Launch 2.2, the client's side: discovery, launch, tokens, identity.

Source: hl7.org/fhir/smart-app-launch/STU2.2.
"""
