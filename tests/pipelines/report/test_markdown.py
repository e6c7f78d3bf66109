"""The section for a page of results."""

from pipelines.report.markdown import section


def test_every_variant_has_a_row_with_its_speed_as_a_ratio(tree, read) -> None:
    text = section(*read(tree))
    rows = [line for line in text.splitlines() if line.startswith("| w")]
    assert [row.split()[1] for row in rows] == [v["name"] for v in tree["variants"]]
    first, last = tree["variants"][0], tree["variants"][-1]
    assert rows[0].endswith("| 1.00x |")
    assert rows[-1].endswith(f"| {first['p50_us'] / last['p50_us']:.2f}x |")


def test_it_names_the_data_the_seed_and_the_command(tree, read) -> None:
    text = section(*read(tree))
    assert tree["data"]["name"] in text
    assert f"seed {tree['seed']}" in text
    assert tree["command"] in text


def test_times_of_this_machine_stay_on_the_page(tree, read) -> None:
    metrics, content = read(tree)
    bound = [each for each in content.sections if each.machine_bound]
    assert bound
    for each in bound:
        assert each.title not in section(metrics, content)
