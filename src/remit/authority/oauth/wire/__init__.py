"""The words of OAuth: errors, parameters, scopes, resources and details, each read strictly."""
