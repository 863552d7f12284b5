"""The sandbox phone network: a twin of Twilio's Messages API, and a page on which to read and answer texts."""
