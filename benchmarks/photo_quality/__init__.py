"""What a person would see in edited photos, measured by networks that took no part in training or editing.

sets      photos of people held out, whole and in variants
outside   the networks, taken from packages of outside.lock
measures  formulas on a photo before and after
run       every edit of every photo, in every way, and what each measure says
table     rows with intervals, as JSON and Markdown"""
