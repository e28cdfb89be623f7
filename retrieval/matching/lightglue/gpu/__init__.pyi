from .layers import TiledLayer as TiledLayer, beside as beside, kernels_for as kernels_for
