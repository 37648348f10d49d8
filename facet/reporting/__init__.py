"""The page of stage `report`: what is read (`inputs`), pictures as data (`pictures`), inline SVG (`charts`), what each
section shows (`sections`), and the template (`page.html`, `page.css`). No script, no network, reproducible bytes."""
