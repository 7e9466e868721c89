#!/bin/sh
# A model of Vertex AI in a custom container: its predict route gives explanations, too, where a
# request asks for them. Set these four.
set -eu
: "${PROJECT:?}" "${REGION:?}" "${REPOSITORY:?}" "${MODEL_DIR:?a folder below this one}"
IMAGE="$REGION-docker.pkg.dev/$PROJECT/$REPOSITORY/pellucid-model"
# The model is part of the image, which is made from that of the Dockerfile (pellucid).
printf 'FROM pellucid\nCOPY %s /models/model\n' "$MODEL_DIR" | docker build -t "$IMAGE" -f - .
docker push "$IMAGE"
gcloud ai models upload --project="$PROJECT" --region="$REGION" --display-name=pellucid \
  --container-image-uri="$IMAGE" --container-ports=8080 --container-args=model=/models/model \
  --container-health-route=/health --container-predict-route=/predict
