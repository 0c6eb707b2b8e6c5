"""Partial LoRA: a linear layer whose low-rank part is applied to the rows of picture tokens only.

Owns the layer and the turning of a picture mask into row numbers; knows nothing of a model. The rows are
handed down as an argument, never kept in a module or a global, so that threads can share one model and
recomputation sees what the first pass saw.

Source: the InternLM-XComposer2 report (arXiv 2401.16420), section 3.2, and the tensor names of its
checkpoints.
"""

from __future__ import annotations

from torch import Tensor, nn


def picture_rows_of(picture_mask: Tensor) -> Tensor | None:
    """Row numbers of the picture tokens in the flattened batch; None where there are none, so that text pays
    nothing.

    Args:
        picture_mask: bool, any shape; True where the token is a picture's.

    Returns:
        int64 [n_picture_tokens], ascending, into ``picture_mask.flatten()``.
    """
    rows = picture_mask.flatten().nonzero().squeeze(1)
    return rows if rows.numel() else None


class PartialLoraLinear(nn.Linear):
    """``W x`` for every row, plus ``scale * B (A x)`` for the picture rows.

    Args:
        in_features: width of ``x``.
        out_features: width of the result.
        rank: r of ``Plora_A`` [r, in] and ``Plora_B`` [out, r], named as in the checkpoints.
        scale: alpha / r; 1 in the published models. 0 switches the low-rank part off.
    """

    def __init__(self, in_features: int, out_features: int, rank: int, scale: float = 1.0) -> None:
        super().__init__(in_features, out_features, bias=False)
        self.scale = scale
        self.Plora_A = nn.Linear(in_features, rank, bias=False)
        self.Plora_B = nn.Linear(rank, out_features, bias=False)

    def forward(self, x: Tensor, picture_rows: Tensor | None = None) -> Tensor:
        """Applies the layer.

        Args:
            x: [..., in].
            picture_rows: int64 [n], row numbers in ``x.flatten(0, -2)``; None: no picture token among them.

        Returns:
            [..., out].
        """
        plain = super().forward(x)
        if picture_rows is None or self.scale == 0:
            return plain
        low_rank: Tensor = self.Plora_B(self.Plora_A(x.flatten(0, -2)[picture_rows])) * self.scale
        return plain.flatten(0, -2).index_add(0, picture_rows, low_rank.to(plain.dtype)).view_as(plain)
