from tests.alerts.certificate import tls_files  # noqa: F401 - a fixture
