"""The pipeline on object stores: on moto's S3 and on Azurite, started here, with landing zone and lake on them."""
