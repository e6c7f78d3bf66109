"""What tests share: random models and weights, oracles that know no surgery, precision."""
