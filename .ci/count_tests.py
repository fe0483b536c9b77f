"""Reads `go test -json` and prints what a person wants to see of it.

    go test -json ... | count_tests.py COUNTS

Packages come out with a line each, failed tests and failed builds with all they said, and
skipped tests by name. "PASSED FAILED SKIPPED" goes into the file COUNTS; the exit status is
1 when anything failed or was skipped. Subtests count as tests.
"""

import json
import sys


def main(counts):
    passed, failed, skipped, events = 0, 0, [], 0
    said, failures = {}, set()
    for line in sys.stdin:
        try:
            e = json.loads(line)
        except ValueError:
            print(line, end="")  # not of the test's making: the tool's own complaint
            continue
        events += 1
        package = e.get("Package") or e.get("ImportPath", "")
        key = (package, e.get("Test"))
        action = e["Action"]
        if action in ("output", "build-output"):
            said.setdefault(key, []).append(e["Output"])
        elif action == "build-fail":
            print("FAIL build of " + package)
            print("".join(said.pop(key, [])))
        elif action in ("pass", "fail", "skip"):
            output = "".join(said.pop(key, []))
            if key[1] is None:
                if action == "fail":
                    print(output)
                    if not any(p == package for p, _ in failures):
                        failed += 1  # a build, a panic or a time-out: no test failed
                elif "[no test files]" not in output:
                    print(output.splitlines()[-1] if output else package)
            elif action == "pass":
                passed += 1
            elif action == "fail":
                failed += 1
                failures.add(key)
                print(output)
            elif "METERAI_CORPUS" in output:
                print("NOT RUN, for want of a corpus: %s %s" % key)
            else:
                skipped.append("%s %s" % key)
                print(output)
    for name in skipped:
        print("SKIPPED " + name)
    if not events:
        print("no test ran")
        failed += 1
    with open(counts, "w") as f:
        print(passed, failed, len(skipped), file=f)
    return 1 if failed or skipped else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
