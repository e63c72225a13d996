#!/usr/bin/env python3
"""The bench's comparison of answers: a wrong one must be seen, another spelling of the right one must not."""

import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import compare  # noqa: E402
from machine import Failed  # noqa: E402
from queries import AVERAGE, EXACT, Query  # noqa: E402

TABLE = "time,a\n2016-01-01 00:00:00.000000000,1\n2016-01-01 00:00:01,2\n"


class Compare(unittest.TestCase):
    def difference(self, result, reference, tolerance=EXACT, ordered=True):
        with tempfile.TemporaryDirectory() as folder:
            paths = []
            for name, text in (("result", result), ("reference", reference)):
                paths.append(os.path.join(folder, name))
                with open(paths[-1], "w") as f:
                    f.write(text)
            return compare.difference(Query("x", {}, tolerance, ordered), *paths)

    def same(self, *args, **more):
        self.assertIsNone(self.difference(*args, **more))

    def differs(self, *args, **more):
        self.assertIsNotNone(self.difference(*args, **more))

    def test_spelling(self):
        self.same(TABLE, "a,time\n1,2016-01-01T00:00:00Z\n2,2016-01-01 00:00:01+00\n")
        self.same("a,measure_name\n1.0,cpu\n", "a\n1\n")

    def test_order(self):
        turned = "time,a\n2016-01-01 00:00:01,2\n2016-01-01 00:00:00,1\n"
        self.differs(TABLE, turned)
        self.same(TABLE, turned, ordered=False)

    def test_values(self):
        for wrong in (TABLE.replace(",2\n", ",3\n"), TABLE.replace(",2\n", ",\n"), TABLE.replace(",2\n", ",x\n"),
                      TABLE.replace("00:01", "00:02"), TABLE.replace(".000000000", ".000000001")):
            self.differs(wrong, TABLE)
            self.differs(wrong, TABLE, ordered=False)

    def test_shape(self):
        self.differs(TABLE + "2016-01-01 00:00:02,2\n", TABLE)
        self.differs("a\n1\n2\n", TABLE)
        self.differs(TABLE, "a\n1\n2\n")
        self.assertRaises(Failed, self.difference, "", TABLE)

    def test_rounding(self):
        self.differs("v\n0.1\n", "v\n0.1000000000001\n")
        self.same("v\n0.1\n", "v\n0.10000000000001\n", tolerance=AVERAGE)
        self.differs("v\n0.1\n", "v\n0.1000001\n", tolerance=AVERAGE)
        self.differs("v\n9007199254740993\n", "v\n9007199254740992\n")


if __name__ == "__main__":
    unittest.main()
