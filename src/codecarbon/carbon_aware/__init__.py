"""When and where electricity is cleanest: the operations behind the WebApi, the command lines and the library."""
