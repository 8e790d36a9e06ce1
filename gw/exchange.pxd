# Compiled, the parts of the route are C structs.

from gw.clock cimport wall_us
from gw.governor cimport Governor
from gw.settle cimport Call
from gw.deployment cimport Deployment
from gw.worker cimport Worker
from gw.answer cimport tell
from gw.upstream.response cimport Response
from gw._fast.heads cimport Answer as Answer_
from gw._fast.heads cimport to_client
