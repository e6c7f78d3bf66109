import pytest

from pipelines.cli import sweep
from pipelines.cli.entry import execute


@pytest.fixture
def carried_out(monkeypatch):
    """What a sweep carries out, compares and takes for finished, without carrying it out."""
    runs, compared, finished = [], [], set()
    monkeypatch.setattr(sweep, "carry_out", lambda item: runs.append(item) or "reached")
    monkeypatch.setattr(sweep, "_finished", lambda folder, recipe: folder.name in finished)
    monkeypatch.setattr(sweep, "compared", lambda folders: compared.extend(folders))
    monkeypatch.setattr(sweep, "print_comparison", lambda found, output, as_json: None)
    return runs, compared, finished


def test_every_recipe_runs_with_every_seed_in_a_folder_of_its_own(carried_out, tmp_path):
    runs, compared, _ = carried_out
    seeds = ["--seed", "3", "--seed", "4"]
    assert execute(["sweep", "demo", "keywords", *seeds, "-o", str(tmp_path), "-q"]) == 0
    expected = [f"{name}-seed{seed}" for name in ("demo", "keywords") for seed in (3, 4)]
    assert [folder.name for folder, _ in runs] == expected
    assert [recipe.seed for _, recipe in runs] == [3, 4, 3, 4]
    assert compared == [str(tmp_path / name) for name in expected]


def test_a_finished_run_is_not_carried_out_again_but_compared(carried_out, tmp_path):
    runs, compared, finished = carried_out
    finished.add("demo-seed1")
    arguments = ["sweep", "demo", "--seed", "0", "--seed", "1", "-o", str(tmp_path), "-q"]
    assert execute(arguments) == 0
    assert [folder.name for folder, _ in runs] == ["demo-seed0"]
    assert len(compared) == 2


def test_runs_of_one_folder_and_unknown_workers_are_refused(carried_out, capsys, tmp_path):
    assert execute(["sweep", "demo", "demo", "-o", str(tmp_path), "-q"]) == 2
    assert "two runs would have the folder" in capsys.readouterr().err
    assert execute(["sweep", "demo", "--workers", "many", "-o", str(tmp_path), "-q"]) == 1
    assert "expected local:N" in capsys.readouterr().err
    assert carried_out[0] == []
