"""What a base URL and a proxy URL become, and which are refused."""

import ssl

import pytest

from gw.upstream.target import Target, tls_context


@pytest.mark.parametrize(
    ("url", "host", "port", "base_path", "host_header"),
    [
        ("https://api.anthropic.com", "api.anthropic.com", 443, "", b"api.anthropic.com"),
        ("https://api.anthropic.com/", "api.anthropic.com", 443, "", b"api.anthropic.com"),
        ("https://API.example:8443/anthropic/", "api.example", 8443, "/anthropic", b"api.example:8443"),
        ("http://127.0.0.1:80/a/b", "127.0.0.1", 80, "/a/b", b"127.0.0.1"),
        ("http://[::1]:8080", "::1", 8080, "", b"[::1]:8080"),
        ("https://bücher.example", "xn--bcher-kva.example", 443, "", b"xn--bcher-kva.example"),
    ],
)
def test_url_is_read(url: str, host: str, port: int, base_path: str, host_header: bytes) -> None:
    target = Target.from_url(url)
    assert (target.host, target.port, target.base_path, target.host_header) == (host, port, base_path, host_header)
    assert (target.ssl is not None) == url.startswith("https")
    assert target.prefix == base_path.encode()


BAD_URLS = [
    *(
        "",
        "api.anthropic.com",
        "ftp://x",
        "https://",
        "https://user:pw@x",
        "https://x?y",
        "https://x#y",
        "http://x:0",
        "http://x:99999",
    ),
    *(
        "http://x:y",
        "http://a b",
        "https://x/a b",
        "https://x/ü",
        "http://a\\b",
        "https://" + "ü" * 70,
        "http://x\r\ny",
        "http://[::1",
    ),
]


@pytest.mark.parametrize("url", BAD_URLS)
def test_bad_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="base_url"):
        Target.from_url(url)


@pytest.mark.parametrize("proxy", ["proxy:3128", "socks5://proxy", "http://proxy/path", "http://proxy?x", "http://:pw@"])
def test_bad_proxy_is_refused_without_naming_it(proxy: str) -> None:
    with pytest.raises(ValueError, match=r"^proxy ") as caught:
        Target.from_url("https://x", proxy=proxy)
    assert proxy not in str(caught.value)


@pytest.mark.parametrize("option", ["connect_timeout_s", "idle_timeout_s", "keepalive_s", "connections_max"])
def test_limits_must_be_positive(option: str) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Target.from_url("https://x", **{option: 0})


def test_repr_shows_no_credential() -> None:
    target = Target.from_url("https://x", proxy="http://name:hunter2@proxy:3128")
    assert target.proxy is not None and target.proxy.authorization.startswith(b"Basic ")
    shown = repr(target) + str(target)
    assert "hunter2" not in shown and "Basic" not in shown and "bmFtZ" not in shown


def test_key_separates_whatever_changes_whom_one_talks_to(certificates) -> None:
    targets = [
        Target.from_url("https://x"),
        Target.from_url("https://x", verify=False),
        Target.from_url("https://x", ca_file=certificates.ca),
        Target.from_url("https://x", ca_file=certificates.here[0]),
        Target.from_url("https://x", proxy="http://p"),
        Target.from_url("https://x", proxy="http://a:b@p"),
        Target.from_url("https://x:444"),
        Target.from_url("http://x"),
        Target.from_url("https://y"),
    ]
    assert len({target.key for target in targets}) == len(targets)
    assert Target.from_url("https://x/base", idle_timeout_s=3).key == targets[0].key


def test_contexts_verify_by_default() -> None:
    context = tls_context()
    assert context.check_hostname and context.verify_mode == ssl.CERT_REQUIRED
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert tls_context(verify=False).verify_mode == ssl.CERT_NONE


def test_tick_is_never_longer_than_a_timeout() -> None:
    assert Target.from_url("https://x", idle_timeout_s=0.5).tick_s == 0.5
    assert Target.from_url("https://x").tick_s == 5.0
