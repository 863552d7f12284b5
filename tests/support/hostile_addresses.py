"""Spellings of addresses that must never be called (threats.md abuse cases 1 and 2). `{port}` is a listener's port."""

from __future__ import annotations

LOOPBACK_HOSTS = (
    "127.0.0.1", "127.1", "127.0.1", "127.000.000.001", "0127.0.0.1", "0177.0.0.1", "0x7f.0.0.1", "0x7f.1",
    "0x7f000001", "2130706433", "017700000001", "127.0.0.1.", "127.0.0.1..", "127.0.0.2", "127.255.255.254",
    "0", "0.0.0.0", "00", "0x0", "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
    "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[::1%25lo]", "[::1%lo]", "[fe80::1%25eth0]", "localhost", "LOCALHOST",
    "localhost.", "localhost.localdomain", "ip6-localhost", "foo.localhost", "127.0.0.1.nip.io", "localtest.me",
    "1270.0.0.1", "127.0.0.1%00.ehr.example", "127.0.0.1%2f.ehr.example", "127。0。0。1", "①②⑦.⓪.⓪.①",
    "ⓛocalhost", "loca\u00adlhost", "127.0.0.1\u200b", "[::ffff:0:127.0.0.1]", "[2002:7f00:1::]",
)  # fmt: skip

INNER_HOSTS = (
    "169.254.169.254", "169.254.169.254.", "2852039166", "0xa9fea9fe", "0xa9.0xfe.0xa9.0xfe", "025177524776",
    "0251.0376.0251.0376", "169.16689662", "169.254.43518", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]",
    "[fd00:ec2::254]", "metadata.google.internal", "metadata", "100.100.100.200", "168.63.129.16", "192.0.0.192",
    "10.0.0.1", "10.1", "0x0a000001", "167772161", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.1",
    "3232235521", "100.64.0.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1", "[fc00::1]", "[fd12::1]",
    "[fe80::1]", "[ff02::1]", "[64:ff9b::a00:1]", "[2001::1]", "[2001:db8::1]", "[::ffff:10.0.0.1]", "[::10.0.0.1]",
)  # fmt: skip

NEAR_THE_LISTED_HOST = (
    "https://ehr.example.", "https://ehr.example.:443/", "https://ehr.example:444/", "https://ehr.example:0/",
    "https://ehr.example:00443/", "https://ehr.example:65536/", "https://ehr.example:/", "https://ehr.example:+443/",
    "https://ehr.example:443:443/", "https://ehr.example:443@evil.example/", "https://ehr.example@evil.example/",
    "https://ehr.example%40evil.example/", "https://ehr.example%2eevil.example/", "https://ehr.example%00/",
    "https://user@ehr.example/", "https://user:pass@ehr.example/", "https://:@ehr.example/", "https://@ehr.example/",
    "https://evil.example\\@ehr.example/", "https://ehr.example\\.evil.example/", "https:\\\\ehr.example\\",
    "https://ehr.example\\/x", "https:/ehr.example/", "https:ehr.example/", "//ehr.example/", "///ehr.example/",
    "ehr.example", "ehr.example/fhir", "https:///ehr.example/", "https://", "https:// ehr.example/", " https://ehr.example/",
    "https://ehr.example /", "https://ehr.example/ ", "https://ehr.example\t/", "https://ehr.example\r\n/",
    "https://ehr.example/\r\nHost: evil.example", "https://ehr.example/x y", "https://ehr.example#@evil.example/",
    "https://ehr.example/#fragment", "https://evil.example#ehr.example", "https://evil.example?ehr.example",
    "https://evil.example/ehr.example", "https://ehr.example.evil.example/", "https://evilehr.example/",
    "https://ehr-example/", "https://ehr_example/", "https://ehr..example/", "https://.ehr.example/", "https://-ehr.example/",
    "https://ehr.example;evil.example/", "https://ehr.example,evil.example/", "https://ehr.example&evil.example/",
    "https://ehr.example|evil.example/", "https://ehr.example$evil.example/", "https://[ehr.example]/", "https://ehr.example[::1]/",
    "https://[::1]ehr.example/", "https://[::1]@ehr.example/", "https://ehr.exampl\u0435/", "https://еhr.example/",
    "https://ehr。example/", "https://xn--ehr-example/", "https://EHR.EXAMPLE.EVIL/", "http://ehr.example/",
    "http://ehr.example:443/", "HTTP://EHR.EXAMPLE/", "ftp://ehr.example/", "file:///etc/passwd", "file://ehr.example/etc/passwd",
    "gopher://ehr.example:70/_x", "dict://ehr.example:11211/stat", "ldap://ehr.example/", "javascript:alert(1)",
    "data:text/html,x", "ws://ehr.example/", "wss://ehr.example/", "jar:https://ehr.example!/", "https+unix://ehr.example/",
    "view-source:https://ehr.example/", "about:blank", "", "x" * 9000, "https://ehr.example/" + "a" * 9000,
    "https://" + "a" * 300 + ".example/", "https://ehr.example/../x", "https://ehr.example/fhir/../../x",
    "https://ehr.example/fhir/..", "https://ehr.example/fhir/%2e%2e/x", "https://ehr.example/fhir/.%2e/x",
    "https://ehr.example/fhir/%2E./x", "https://ehr.example/./x", "https://ehr.example/a%2fb", "https://ehr.example/a%5cb",
    "https://ehr.example/a%00b", "https://ehr.example/a%0d%0aHost:x", "https://ehr.example/a%zz", "https://ehr.example/..;/x",
    "https://ehr.example/fhir\u2025/x", "https://ehr.example/\u202e", "https://ehr.example/<x>", 'https://ehr.example/"x',
    "https://ehr.example/{x}", "https://ehr.example/^", "https://ehr.example/`x`",
)  # fmt: skip

# The listed private host is http://localhost:9101; nothing else on this machine is.
NEAR_THE_PRIVATE_HOST = (
    "http://localhost/fhir", "http://localhost:9102/fhir", "https://localhost:9101/fhir", "http://127.0.0.1:9101/fhir",
    "http://[::1]:9101/fhir", "http://localhost.:9101/fhir", "http://localhost:9101@evil.example/", "http://localhost:09101/",
    "http://x.localhost:9101/fhir", "http://2130706433:9101/fhir", "http://0:9101/fhir", "http://user@localhost:9101/",
)  # fmt: skip

HOSTILE_URLS = (
    *(f"https://{host}/" for host in LOOPBACK_HOSTS),
    *(f"http://{host}/latest/meta-data/" for host in INNER_HOSTS),
    *NEAR_THE_LISTED_HOST,
    *NEAR_THE_PRIVATE_HOST,
)

# What a Bundle's `next`, a Reference or an Attachment may say, for the base https://ehr.example/tenant/fhir.
NEXT_LINKS = (
    "https://evil.example/tenant/fhir", "//evil.example/tenant/fhir", "http://ehr.example/tenant/fhir",
    "https://ehr.example:8443/tenant/fhir", "https://ehr.example.evil.example/tenant/fhir", "https://ehr.example@evil.example/",
    "https://evil.example\\@ehr.example/tenant/fhir", "https://ehr.example/tenant/fhir/../../other/fhir",
    "https://ehr.example/tenant/fhir/%2e%2e/%2e%2e/other", "https://ehr.example/tenant/fhir/..%2fother",
    "https://ehr.example/tenant/fhirs", "https://ehr.example/tenant/fhir-other/Patient", "https://ehr.example/tenant/FHIR/Patient",
    "https://ehr.example/tenant", "https://ehr.example/tenant/", "https://ehr.example/other/fhir", "https://ehr.example/",
    "https://ehr.example", "https://ehr.example//tenant/fhir", "https://ehr.example/tenant//fhir", "Patient?_page=2",
    "/tenant/fhir?_page=2", "?_page=2", "", "https://ehr.example/tenant/fhir#x", "https://ehr.example./tenant/fhir",
    "https://www.ehr.example/tenant/fhir", "https://[::1]/tenant/fhir", "https://127.0.0.1/tenant/fhir",
    "https://2130706433/tenant/fhir", "http://169.254.169.254/latest/meta-data", "file:///tenant/fhir", "ftp://ehr.example/tenant/fhir",
    "urn:uuid:0c3f9a3e-6a0e-4c4b-9b3a-1c2d3e4f5a6b", "javascript:alert(1)", "https://ehr.example /tenant/fhir",
    "https://ehr.example\t/tenant/fhir", "https://ehr.example/tenant/fhir\n.evil.example", "https://ehr.example\\tenant\\fhir",
    "https:/ehr.example/tenant/fhir", "https:ehr.example/tenant/fhir", "https://ehr.example:0443/tenant/fhir",
    "https://ehr.example:/tenant/fhir", "https://user@ehr.example/tenant/fhir", "https://ehr%2eexample/tenant/fhir",
    "https://ehr.example/tenant%2ffhir/x", "https://ehr.example/tenant/fhir/..;/x", "https://ehr.example/%74enant/fhir/x",
    "https://ehr。example/tenant/fhir", "https://еhr.example/tenant/fhir", "https://ehr.example/.//tenant/fhir",
)  # fmt: skip
