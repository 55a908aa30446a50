-- An expression of `assign` in a query; only parsed. Parameter: expression.
SELECT {{ expression }}
