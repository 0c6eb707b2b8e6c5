"""Pictures that are given by their address: whether one may be fetched (``leave``), connections to the
addresses so judged (``connections``), and its bytes within bounds (``fetching``). Decodes nothing, keeps
nothing."""
