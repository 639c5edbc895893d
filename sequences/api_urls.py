from rest_framework.routers import SimpleRouter

from sequences.api import Enrollments, Sequences
from sequences.broadcasts_api import Broadcasts

router = SimpleRouter()
router.register("sequences", Sequences)
router.register("enrollments", Enrollments)
router.register("broadcasts", Broadcasts)

urlpatterns = router.urls
