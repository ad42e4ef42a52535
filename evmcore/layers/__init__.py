"""Execution layers: many threads, processes or machines that execute blocks, one result.

`replay_range` spreads blocks over any executor and keeps a journal. A `Quorum` gives each block to several layers, holds their signed digests
against each other, and strikes off who dissents. A `Router` assigns work by predicted cost and conflicts.
`Replicas` hold a chain's state and execute one block in pieces.
"""

from .admission import Admission, workers_for
from .certificate import Certificate, CertificateVerdict, InvalidCertificate, address_of, verdict
from .executors import open_executor, processes
from .journal import Journal
from .layer import Answer, DaskLayer, Layer, LocalLayer, answer_block, local_layers
from .learned import Learned
from .prediction import Prediction, Predictor, PreExecuted
from .quorum import Dissent, Quorum, QuorumVerdict
from .ranges import replay_range
from .replicas import PieceDiffers, Replicas, cut, execute_piece, merge_pieces
from .router import Assignment, Router
from .stateless import LayerServer, RemoteLayer, ServerLimits
from .stateless_block import Witnessed
from .summary import BlockSummary, digest_of, replay_block

__all__ = [
    "Admission",
    "Answer",
    "Assignment",
    "BlockSummary",
    "Certificate",
    "CertificateVerdict",
    "DaskLayer",
    "Dissent",
    "InvalidCertificate",
    "Journal",
    "Layer",
    "LayerServer",
    "Learned",
    "LocalLayer",
    "PieceDiffers",
    "PreExecuted",
    "Prediction",
    "Predictor",
    "Quorum",
    "QuorumVerdict",
    "RemoteLayer",
    "Replicas",
    "Router",
    "ServerLimits",
    "Witnessed",
    "address_of",
    "answer_block",
    "cut",
    "digest_of",
    "execute_piece",
    "local_layers",
    "merge_pieces",
    "open_executor",
    "processes",
    "replay_block",
    "replay_range",
    "verdict",
    "workers_for",
]
