"""How clients come in, change and go."""
