"""What stage `evaluate` measures: the test faces before the judges (`exam`), what edits do to them (`edits`), what the
encoders keep (`reconstructions`), how near samples come to photos (`samples`), what latents know (`latents`), whether
some people are served worse (`subgroups`).

Facts and formulas: Photoshop 2.0, figure 9 (sums over pixels); STGAN and AttGAN (success, preservation); InterFaceGAN
(re-scoring matrix); e4e (latent consistency); Bińkowski et al. 2018 (kernel distance)."""
