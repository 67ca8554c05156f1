"""The addresses of the API and the page.

What belongs here: which address goes to which view.
"""

from django.urls import path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from tweet_profiles.api import ops, page, views

V1 = "api/v1/"

urlpatterns = [
    path("", page.home),
    path("login", page.login),
    path("logout", page.logout),
    path("segments/<int:segment>", page.segment),
    path("segments/<int:segment>/brief.txt", page.brief, {"form": "txt"}),
    path("segments/<int:segment>/brief.json", page.brief, {"form": "json"}),
    path("compare", page.compare),
    path("healthz", ops.healthz),
    path("readyz", ops.readyz),
    path("metrics", ops.metrics),
    path(V1 + "schema", SpectacularAPIView.as_view(), name="schema"),
    path(V1 + "docs", SpectacularSwaggerSplitView.as_view(url_name="schema")),
    path(V1 + "overview", views.OverviewView.as_view()),
    path(V1 + "segments", views.SegmentsView.as_view()),
    path(V1 + "segments/<int:segment>", views.SegmentView.as_view()),
    path(V1 + "segments/<int:segment>/members", views.MembersView.as_view()),
    path(V1 + "segments/<int:segment>/brief", views.BriefView.as_view()),
    path(V1 + "segments/<int:segment>/history", views.HistoryView.as_view()),
    path(V1 + "clusterings", views.ClusteringsView.as_view()),
    path(V1 + "clusterings/<slug:version>", views.ClusteringView.as_view()),
    path(V1 + "profiles", views.RowsView.as_view()),
    path(V1 + "timelines", views.TimelinesView.as_view()),
    path(V1 + "downloads/<slug:form>", views.DownloadView.as_view()),
    path(V1 + "assign", views.AssignView.as_view()),
    path(V1 + "score", views.ScoreView.as_view()),
    path(V1 + "health", views.HealthView.as_view()),
]

handler400 = "tweet_profiles.api.problems.bad_request"
handler404 = "tweet_profiles.api.problems.not_found"
handler500 = "tweet_profiles.api.problems.server_error"
