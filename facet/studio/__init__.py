"""The Neural Photo Editor in a browser (`facet studio`), at full size, that saves what the batch then does.

Brock et al. 2017 (arXiv:1609.07093, figures 1 and 2) with what photos need: attributes, faces, formats, metadata. The
page holds the history of states; this package turns a state into pictures, and into the bytes that `facet edit` writes.
"""
