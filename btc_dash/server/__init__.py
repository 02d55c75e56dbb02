"""HTTP: admission, rate limits, headers, the index page, plotly.js."""
