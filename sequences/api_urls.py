from rest_framework.routers import SimpleRouter

from sequences.api import Enrollments, Sequences

router = SimpleRouter()
router.register("sequences", Sequences)
router.register("enrollments", Enrollments)

urlpatterns = router.urls
