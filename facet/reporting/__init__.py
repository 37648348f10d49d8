"""The pages of stage `report`: inputs, records and runs, values and charts, sections, papers and their templates. They
have no script, need no network, and the same inputs give the same bytes."""
