from .encoder import (
    EncoderTraining as EncoderTraining,
    EpochReport as EpochReport,
    TrainedEncoder as TrainedEncoder,
    train_encoder as train_encoder,
)
from .losses import MetricLoss as MetricLoss
from .own_heads import DetectorReport as DetectorReport, train_detector as train_detector
