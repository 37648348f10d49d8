"""The measurements of stage `evaluate`: the test faces and the judges (`exam`), edits (`trials`, `edits`), encoders
(`reconstructions`), samples (`samples`), latents (`latents`), differences between groups of people (`subgroups`), and
the papers' own experiments.

Facts and formulas: Photoshop 2.0, figure 9 (sums over pixels); STGAN and AttGAN (success, preservation); InterFaceGAN
(re-scoring matrix); e4e (latent consistency); Bińkowski et al. 2018 (kernel distance)."""
