"""A loopback stand-in for a Hopsworks 5.2 server, as far as our backend drives the real client.

It speaks the REST API over TLS, keeps files as HopsFS would, applies feature group writes that the client
makes itself (real Delta tables), and answers reads over real Arrow Flight. It is not a Hopsworks: no
permissions, no Spark, no online store. A request it does not know is answered 501 and kept in
``unknown``; the suite asserts that this stays empty.
"""

from .server import Emulator

__all__ = ["Emulator"]
