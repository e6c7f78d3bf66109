from tflite_export.child_process import run_python


def test_what_a_process_wrote_comes_back():
    ended = run_python("import sys; print(sys.stdin.read() + sys.argv[1])", ["b"], given=b"a")
    assert (ended.output, ended.errors, ended.failure) == (b"ab\n", "", "")


def test_each_way_to_fail_is_named_with_the_last_words():
    assert run_python("import sys; sys.exit('no such thing')").failure == "failed: no such thing"
    assert run_python("import sys; sys.exit(3)").failure == "failed: it wrote no reason"
    crashed = run_python("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)").failure
    assert crashed == "crashed (signal 11): it wrote no reason"
    slow = run_python("import time; time.sleep(60)", timeout_s=0.01)
    assert slow.failure == "did not end within 0.01 seconds"
