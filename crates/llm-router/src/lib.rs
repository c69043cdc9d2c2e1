//! Which target answers a call: strategies, fallback plans, explanations. Pure.
