"""The ground floor: params, limits, errors, files, tables, images, checkpoints, progress, devices and workers."""
