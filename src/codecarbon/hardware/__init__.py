"""What the machine is, which sensors it has, and what stands in where it has none."""

from codecarbon.hardware.detect import detect
from codecarbon.hardware.facts import CpuInfo, read_cpu_info, read_facts
from codecarbon.hardware.plan import ModelChannel, ModelPlan, open_model, plan_models
from codecarbon.hardware.rapl import RaplChannels, open_rapl
from codecarbon.hardware.request import MeasureRequest, make_request

__all__ = [
    "CpuInfo",
    "MeasureRequest",
    "ModelChannel",
    "ModelPlan",
    "RaplChannels",
    "detect",
    "make_request",
    "open_model",
    "open_rapl",
    "plan_models",
    "read_cpu_info",
    "read_facts",
]
