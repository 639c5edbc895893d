"""Addresses that must lead nowhere, by what makes each of them dangerous."""

# IP addresses as they come out of DNS, or stand in a URL.
ADDRESSES = {
    "this network": ["0.0.0.0", "0.1.2.3"],
    "loopback": ["127.0.0.1", "127.255.255.254", "::1"],
    "private": ["10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fd12:3456::1", "fec0::1"],
    "shared by a provider's customers": ["100.64.0.1", "100.127.255.254"],
    "link": ["169.254.1.1", "fe80::1"],
    "cloud metadata": [
        "169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254",
        "fd20:ce::254",
    ],
    "protocols": ["192.0.0.8", "192.88.99.1", "192.175.48.1", "192.52.193.1", "2001:1::1", "2001:10::1", "2001:20::1", "5f00::1"],
    "documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "233.252.0.1", "2001:db8::1", "3fff::1"],
    "benchmarks": ["198.18.0.1", "198.19.255.255", "2001:2::1"],
    "multicast": ["224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"],
    "reserved": ["240.0.0.1", "255.255.255.255", "::", "100::1", "4000::1", "1::1"],
    "IPv4 in IPv6, mapped": ["::ffff:127.0.0.1", "::ffff:a00:1", "::ffff:169.254.169.254"],
    "IPv4 in IPv6, compatible": ["::7f00:1", "::10.0.0.1"],
    "IPv4 in IPv6, translated": ["::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1"],
    "IPv4 in IPv6, tunnelled": [
        "2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:7f00:1::1", "2001:0:808:808::80ff:fffe", "fe80::5efe:7f00:1",
        "2a00::5efe:a00:1", "2a00::200:5efe:a00:1",
    ],
}  # fmt: skip

# What a DNS server answers for names of this corpus; the last are those of public hosts.
NAMES = {
    "metadata.google.internal": ["169.254.169.254"],
    "instance-data.ec2.internal": ["169.254.169.254"],
    "kubernetes.default.svc": ["10.96.0.1"],
    "redis": ["172.18.0.3"],
    "localtest.example": ["127.0.0.1"],
    "six.example": ["::1"],
    "mapped.example": ["::ffff:10.0.0.1"],
    "first-public.example": ["157.240.1.1", "10.0.0.1"],
    "last-public.example": ["127.0.0.1", "157.240.1.1"],
    "both-families.example": ["157.240.1.1", "fd00::1"],
    "xn--bcher-kva.example": ["192.168.1.1"],
    "public.example": ["157.240.1.1"],
}

# Whole URLs: ways of writing a host, and of hiding one.
URLS = {
    "one number": ["https://2130706433/", "https://0x7f000001/", "https://017700000001/", "https://2852039166/"],
    "octal, hex and short": [
        "https://0177.0.0.1/", "https://0x7f.0.0.1/", "https://127.1/", "https://127.0.1/", "https://0/", "https://10.1/",
        "https://0xa9.0xfe.0xa9.0xfe/", "https://0251.0376.0251.0376/",
    ],
    "a dot behind it": ["https://127.0.0.1./", "https://localhost./", "https://redis./"],
    "the host of this machine": ["https://localhost/", "https://LOCALHOST/"],
    "names": [f"https://{name}/latest/meta-data/" for name in NAMES if name != "public.example"],
    "capitals and IDN": ["https://METADATA.GOOGLE.INTERNAL/", "https://b\u00fccher.example/", "https://B\u00dcCHER.example/"],
    "other digits": ["https://\u2460\u2461\u2466.\u2460/", "https://\uff11\uff12\uff17.0.0.1/", "https://127\u30020\u30020\u30021/"],
    "percent-encoded": ["https://127%2e0%2e0%2e1/", "https://%31%32%37.0.0.1/", "https://lo%63alhost/"],
    "another port": [f"https://127.0.0.1:{port}/" for port in (22, 5432, 6379, 8000)] + ["https://[::1]:6379/"],
    "a zone": ["https://[fe80::1%25eth0]/", "https://[::1%25lo]/"],
    "somebody before the host": [
        "https://public.example@127.0.0.1/", "https://public.example:443@127.0.0.1/", "https://@127.0.0.1/",
        "https://user:pw@public.example/", "https://127.0.0.1@public.example/",
    ],
    "two hosts in one": [
        "https://127.0.0.1\\@public.example/", "https://127.0.0.1\\.public.example/", "https://127.0.0.1#@public.example/",
        "https://127.0.0.1?@public.example/", "https://127.0.0.1;.public.example/", "https://127.0.0.1\t.public.example/",
        "https://127.0.0.1%00.public.example/", "https://127.0.0.1 .public.example/", "https://[::1]public.example/",
        "https:///127.0.0.1/", "https:127.0.0.1/", "https:\\\\127.0.0.1/",
    ],
    "another scheme": [
        "http://public.example/", "http://127.0.0.1/", "HTTP://127.0.0.1/", "ftp://127.0.0.1/", "file:///etc/passwd",
        "file://127.0.0.1/etc/passwd", "gopher://127.0.0.1:6379/_FLUSHALL", "dict://127.0.0.1:6379/info",
        "ldap://127.0.0.1/", "jar:https://127.0.0.1!/", "data:text/plain,x", "unix:///var/run/docker.sock",
        "https+unix://%2fvar%2frun%2fdocker.sock/", "//127.0.0.1/", "",
    ],
    "no URL at all": ["https://[::1/", "https://127.0.0.1:99999/", "https://127.0.0.1:x/", "https://", "https://" + "a" * 300 + "/"],
}  # fmt: skip


def literal(address: str) -> str:
    return f"https://[{address}]/" if ":" in address else f"https://{address}/"


LITERALS = [literal(address) for group in ADDRESSES.values() for address in group]
ALL = LITERALS + [url for group in URLS.values() for url in group]
