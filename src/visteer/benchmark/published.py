"""What the paper printed, to stand beside what was measured here; never mixed with it.

Source: Elbeialy et al., "Visual Steering for Deep Neural Networks Using Explainable AI", AISI 2023, LNDECT 184,
pp. 43-52, the table of results. Imagenette with 3,948 annotated images; BUSI and ISIC annotated in full. The
definition of its "Qualitative Measure" is not public; it is given under its own name and is not `map_distance`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

PUBLISHED_AS = "published (Elbeialy et al. 2023)"

_ROWS = """
without  resnet50  99.49 0.9999 3.4084 0.8298 1.6049 0.7061 2.9413
without  resnet101 97.73 0.9995 3.5392 0.7736 1.8655 0.5715 3.5000
without  resnet152 98.22 0.9997 3.2401 0.7860 1.3899 0.7156 2.9188
abn      resnet50  97.91 0.9994 2.3048 0.8238 2.0944 0.7207 2.2736
abn      resnet101 96.46 0.9982 2.7847 0.8066 1.9425 0.6137 2.5259
abn      resnet152 98.32 0.9997 2.4483 0.7720 2.4787 0.6961 2.2733
proposed resnet50  97.58 0.9995 1.8623 0.8599 1.3292 0.7405 1.6235
proposed resnet101 98.11 0.9996 3.1043 0.8429 1.4367 0.7014 2.8837
proposed resnet152 97.89 0.9991 2.4673 0.8225 1.3881 0.7126 2.8722
"""


def _figures(row: str) -> tuple[tuple[str, str], dict[str, Mapping[str, float]]]:
    approach, model, *words = row.split()
    accuracy, auc, q_imagenette, f2_busi, q_busi, f2_isic, q_isic = map(float, words)
    return (approach, model), {
        "imagenette": {"accuracy": round(accuracy / 100, 4), "auc": auc, "qualitative_measure": q_imagenette},
        "busi": {"f2": f2_busi, "qualitative_measure": q_busi},
        "isic": {"f2": f2_isic, "qualitative_measure": q_isic},
    }


_TABLE = dict(_figures(row) for row in _ROWS.strip().splitlines())


def published_figures(data: str, model: str, approach: str) -> Mapping[str, float]:
    """The figures that the paper gives for one row and data set, by their name; empty where it gives none.

    Names of data sets are compared without case, by their start: "ISIC-2017" is the paper's ISIC.

    Example:
        >>> published_figures("BUSI", "resnet50", "proposed")
        {'f2': 0.8599, 'qualitative_measure': 1.3292}
        >>> published_figures("BUSI", "resnet18", "proposed"), published_figures("business", "resnet50", "proposed")
        ({}, {})
    """
    for name, figures in _TABLE.get((approach.lower(), model.lower()), {}).items():
        if re.match(rf"{name}(?![a-z])", data.lower()):
            return figures
    return {}
