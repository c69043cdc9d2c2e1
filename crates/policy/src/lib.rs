//! May this call pass: keys, permitted models, limits and budgets with reserve-then-settle.
