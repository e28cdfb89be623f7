from .encoder import (
    EncoderTraining as EncoderTraining,
    EpochReport as EpochReport,
    TrainedEncoder as TrainedEncoder,
    train_encoder as train_encoder,
)
from .losses import MetricLoss as MetricLoss
from .matcher import (
    MatcherRound as MatcherRound,
    MatcherTraining as MatcherTraining,
    PairLoss as PairLoss,
    TrainedMatcher as TrainedMatcher,
    train_matcher as train_matcher,
)
from .own_heads import DetectorReport as DetectorReport, train_detector as train_detector
