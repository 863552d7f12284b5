"""A post office: takes mail by SMTP (RFC 5321) and shows it on a page; none of it leaves this machine."""
