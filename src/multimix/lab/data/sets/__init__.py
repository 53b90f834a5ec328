"""Which data sets there are: one file and one row each."""

from multimix.lab.data.data_set import DataSet
from multimix.lab.data.sets.cifar import Cifar10, Cifar100
from multimix.lab.data.sets.cub import Cub
from multimix.lab.data.sets.digits import Digits
from multimix.lab.data.sets.fashion_mnist import FashionMnist
from multimix.lab.data.sets.folder import Folder
from multimix.lab.data.sets.fsdd import Fsdd
from multimix.lab.data.sets.hub import Hub
from multimix.lab.data.sets.imagenet import Imagenet
from multimix.lab.data.sets.shards import Shards
from multimix.lab.data.sets.speech_commands import SpeechCommands
from multimix.lab.data.sets.synthetic import Synthetic
from multimix.lab.data.sets.tiny_imagenet import TinyImagenet

__all__ = ["DATASETS", "PREFIXES"]

DATASETS: dict[str, type[DataSet]] = {
    Digits.name: Digits,
    Synthetic.name: Synthetic,
    FashionMnist.name: FashionMnist,
    Cifar10.name: Cifar10,
    Cifar100.name: Cifar100,
    TinyImagenet.name: TinyImagenet,
    Imagenet.name: Imagenet,
    Cub.name: Cub,
    SpeechCommands.name: SpeechCommands,
    Fsdd.name: Fsdd,
}
# What comes after the colon is the option named here.
PREFIXES: dict[str, tuple[type[DataSet], str]] = {
    "folder": (Folder, "path"),
    "hf": (Hub, "repo"),
    "webdataset": (Shards, "path"),
}
