"""Ground of every module: params, limits, errors, files, tables, images, checkpoints, progress, devices, workers."""
