"""Every known answer, byte for byte: ``python -m unittest discover tests``."""

import json
import unittest
from pathlib import Path

from keygate_sign import sign, sign_cloudflare


class KnownAnswers(unittest.TestCase):
    def test_every_link_has_its_known_answer(self):
        functions = {"keygate": sign, "cloudflare": sign_cloudflare}
        answers = json.loads((Path(__file__).parent / "known-answers.json").read_text())
        # The standard library has no Ed25519.
        answers = [answer for answer in answers if "private_key" not in answer["link"]]
        self.assertGreater(len(answers), 20)
        for answer in answers:
            with self.subTest(answer["id"]):
                signed = functions[answer["format"]](**answer["link"])
                self.assertEqual(signed, answer["signed"])
