"""What may differ between two runs of the same command becomes the same: ids, times, process ids, addresses, roots."""
import re

RULES = [(re.compile(pattern), replacement) for pattern, replacement in (
    (r"\x1b\[[0-9;?]*[A-Za-z]", ""),
    (r"\r", ""),
    (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?", "TIME"),
    (r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? [+-]\d{4} [A-Z]+", "TIME"),
    (r"\b[0-9a-f]{64}\b", "ID"),
    (r"\b[0-9a-f]{12}\b|\b[0-9a-f]{14}…", "ID"),
    (r"\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b", "MAC"),
    (r"\b17\d\.\d+\.\d+\.\d+\b", "ADDRESS"),
    (r"\b(Less than a second|About an? \w+|\d+ (second|minute|hour|day|week|month|year)s?)( ago)?", "AGO"),
    (r"\b(Up) AGO", r"\1 AGO"),
    (r"(/[\w./-]+)?/compare\.\w+", "FOLDER"),
    (r"@if\d+", "@ifN"),
    (r"\b1[0-9]{9}\.[0-9]+\b", "TIME"),
    (r"\.Pid = [1-9]\d*", ".Pid = PID"),
    (r"nr_inodes=\d+", "nr_inodes=N"),
    (r"\b[A-Z][a-z][a-z] +\d+ +\d\d:\d\d\b", "DATE"),
    (r"Date: .*", "Date: DATE"),
    (r"\b(dr-xr-xr-x) +\d+ (root  root  0 DATE proc)", r"\1 N \2"),
    (r'(?<=[\s"=])/[\w./-]+/(containers|overlay2|volumes|layers)/ID', r"ROOT/\1/ID"),
    (r'(?<=[\s"=])/[\w./-]+/volumes/(\w+)/_data', r"ROOT/volumes/\1/_data"),
    (r"(ID),(\w+)(?=[\s\"])", r"\2,\1"),
    (r"/proc/\d+/", "/proc/PID/"),
    (r"(/(tmp)? # )+", r"\1"),
    (r" {2,}", "  "),
    (r"[ \t]+\n", "\n"),
)]


def text(transcript):
    for pattern, replacement in RULES:
        transcript = pattern.sub(replacement, transcript)
    return transcript
