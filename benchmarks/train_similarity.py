# /// script
# requires-python = ">=3.11"
# dependencies = ["scikit-learn>=1.7", "rapidfuzz>=3.14", "msgspec>=0.20", "pydantic>=2.12", "can-ada>=2"]
# ///
"""Makes ``agents/ranking/same_story.json`` anew from labelled pairs; scikit-learn is needed for this alone.

``uv run benchmarks/train_similarity.py PAIRS.tsv…``: the lines of each file are a label (1 or 0) and two titles. All
files weigh the same. Prints what five-fold cross-validation finds, with no title in two folds.
"""

import json
import sys
import textwrap
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from agents.ranking import similarity  # noqa: E402
from agents.ranking.reading import words  # noqa: E402

MODEL = ROOT / "agents" / "ranking" / "same_story.json"
SAME_FROM = 2.1
"""Log-odds; cross-validation says some 0.96 of what is merged from there on is right, on each file."""
LEAST_SHARE = 0.001
"""A word is common when that share of the titles of every file has it: what one year's news was about is not."""
PENALTY = 0.03
NAMES = frozenset(
    {
        *("clinton", "bush", "bob", "john", "michael", "george", "david", "putin", "ken", "peter", "paul"),
        *("mike", "tom", "thomas", "goldman", "moore", "brian", "scott", "johnson"),
        *("iraq", "iraqi", "microsoft", "china", "russia", "russian", "saudi", "california", "florida"),
        *("britain", "germany", "texas", "apple", "chicago", "carolina", "arabia", "australia", "ohio"),
        *("nigeria", "somalia", "illinois", "connecticut", "thailand", "kansas", "francisco", "canada"),
    }
)
"""Of people, places and companies: common in the pairs, as the years of those were about them, and yet telling.

Without them a few pairs more are merged, and as rightly.
"""


def main(paths: Sequence[str]) -> None:
    """Count common words, measure the pairs with them, fit, and write."""
    files = [[line.split("\t")[:3] for line in Path(path).read_text("utf-8").splitlines()] for path in paths]
    before = json.loads(MODEL.read_text("utf-8"))
    before["common"] = common = _common(files)
    MODEL.write_text(json.dumps(before), "utf-8")  # the measures below weigh words by it
    pairs = [pair for file in files for pair in file]
    measured = np.array([_measures(one, other) for _, one, other in pairs])
    labels = np.array([int(label) for label, _, _ in pairs])
    of_file = np.repeat(np.arange(len(files)), [len(file) for file in files])
    weights = np.concatenate([np.full(len(file), 10_000 / len(file)) for file in files])
    _cross_validate(measured, labels, weights, of_file, [one for _, one, _ in pairs])
    MODEL.write_text(_pretty({**_fitted(measured, labels, weights), "common": common}), "utf-8")


def _measures(one: str, other: str) -> tuple[float, ...]:
    return similarity.measures(similarity.Title.of(words(one)), similarity.Title.of(words(other)))


def _common(files: Sequence[Sequence[Sequence[str]]]) -> dict[str, float]:
    shares = []
    for file in files:
        titles = {title for _, one, other in file for title in (one, other)}
        having = Counter(word for title in titles for word in set(words(title)))
        shares.append({word: count / len(titles) for word, count in having.items()})
    known = {word for word in shares[0] if all(share.get(word, 0) >= LEAST_SHARE for share in shares)} - NAMES
    mean = {word: round(sum(share[word] for share in shares) / len(shares), 4) for word in known}
    return dict(sorted(mean.items(), key=lambda item: (-item[1], item[0])))


def _pipeline() -> Any:
    return make_pipeline(
        StandardScaler(),
        PolynomialFeatures(3, include_bias=False),
        StandardScaler(),
        LogisticRegression(max_iter=3000, C=PENALTY),
    )


def _cross_validate(measured: Any, labels: Any, weights: Any, of_file: Any, titles: Sequence[str]) -> None:
    groups = np.unique(titles, return_inverse=True)[1]
    odds = np.zeros(len(labels))
    for train, test in GroupKFold(5).split(measured, labels, groups):
        fitted = _pipeline().fit(measured[train], labels[train], logisticregression__sample_weight=weights[train])
        odds[test] = fitted.decision_function(measured[test])
    for file in range(of_file.max() + 1):
        mine = of_file == file
        merged = mine & (odds >= SAME_FROM)
        print(
            f"file {file + 1}: area under the curve {roc_auc_score(labels[mine], odds[mine]):.4f}; merged with "
            f"precision {labels[merged].mean():.4f} and recall {labels[merged].sum() / labels[mine].sum():.4f}"
        )


def _fitted(measured: Any, labels: Any, weights: Any) -> dict[str, Any]:
    """The pipeline as one polynomial over standardised measures: its second scaling is folded into the weights."""
    fitted = _pipeline().fit(measured, labels, logisticregression__sample_weight=weights)
    first, polynomial, second, regression = (step for _, step in fitted.steps)
    factors = regression.coef_[0] / second.scale_
    places = [np.repeat(np.arange(len(similarity.MEASURES)), powers).tolist() for powers in polynomial.powers_]
    return {
        "measures": list(similarity.MEASURES),
        "mean": [round(float(value), 6) for value in first.mean_],
        "scale": [round(float(value), 6) for value in first.scale_],
        "low": [round(float(value), 4) for value in measured.min(0)],
        "high": [round(float(value), 4) for value in measured.max(0)],
        "bias": round(float(regression.intercept_[0] - (factors * second.mean_).sum()), 6),
        "same_from": SAME_FROM,
        "terms": [(place + [len(similarity.MEASURES)] * 3)[:3] for place in places],
        "weights": [round(float(factor), 6) for factor in factors],
    }


def _pretty(model: dict[str, Any]) -> str:
    return "{\n" + ",\n".join(_line(name, json.dumps(value)) for name, value in model.items()) + "\n}\n"


def _line(name: str, value: str) -> str:
    if len(value) <= 100:
        return f' "{name}": {value}'
    wrapped = textwrap.fill(value, 116, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
    return f' "{name}":\n{wrapped}'


if __name__ == "__main__":
    main(sys.argv[1:])
