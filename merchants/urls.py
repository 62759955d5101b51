from django.urls import path

from merchants import views

urlpatterns = [
    path("normalize_merchant", views.NormalizeMerchantView.as_view(), name="normalize-merchant"),
    path("v1/normalizations", views.NormalizationsView.as_view(), name="normalizations"),
    path(
        "v1/normalizations/<uuid:request_id>",
        views.NormalizationView.as_view(),
        name="normalization",
    ),
]
