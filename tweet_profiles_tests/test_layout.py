"""What the import contracts in pyproject.toml cannot say about the tests themselves."""

import grimp


def test_no_test_module_imports_another() -> None:
    imports = grimp.build_graph("tweet_profiles_tests", cache_dir=None)
    tests = {module for module in imports.modules if module.rpartition(".")[2].startswith("test_")}
    assert len(tests) > 20
    crossings = {test: imports.find_modules_directly_imported_by(test) & tests for test in tests}
    assert {test: others for test, others in crossings.items() if others} == {}
