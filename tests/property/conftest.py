"""How long the properties are tried: swiftly with every run of the suite, `--hypothesis-profile=deep` by hand."""

from hypothesis import HealthCheck, Phase, settings

_QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]

settings.register_profile(
    "swift",
    max_examples=4,
    stateful_step_count=10,
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=_QUIET,
    phases=(Phase.explicit, Phase.generate),
)
settings.register_profile(
    "deep",
    max_examples=40,
    stateful_step_count=25,
    deadline=None,
    print_blob=True,
    suppress_health_check=_QUIET,
)
settings.load_profile("swift")
