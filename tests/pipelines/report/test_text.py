"""The Markdown of results, read back."""

from pipelines.report.text import Items, Table, read, to_html

TABLE = Table(("net", "accuracy"), (("a", "90.00\u2009%"), ("b & c", "+1.00 [+0.50, +1.50]")))


def test_a_table_reads_as_it_was_written() -> None:
    assert list(read(TABLE.markdown())) == [TABLE]


def test_paragraphs_lists_and_tables_are_told_apart() -> None:
    lines = ["One", "sentence.", "", "- x", "- y", "", *TABLE.markdown(), "", "Another."]
    assert list(read(lines)) == ["One sentence.", Items(("x", "y")), TABLE, "Another."]


def test_what_a_cell_holds_is_shown_and_not_obeyed() -> None:
    html = to_html([*TABLE.markdown(), "", "- <b>", "", "a < b"])
    assert "<td>b &amp; c</td>" in html
    assert "<li>&lt;b&gt;</li>" in html
    assert "a &lt; b" in html
