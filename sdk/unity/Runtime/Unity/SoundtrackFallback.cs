// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections;
using System.IO;
using System.Linq;
using Segue.Audio;
using Segue.Wire;
using UnityEngine;

namespace Segue
{
    /// <summary>Where the player has its music from when the network is gone: loaded from when it is enabled, played or not.</summary>
    public sealed partial class SoundtrackPlayer
    {
        private BakedFolder _baked;
        private string _bakedOf = "";
        private Coroutine _loading;
        private StreamingFiles _files;

        /// <summary>Folder below StreamingAssets that `segue bake` wrote; empty: silence where the network fails.</summary>
        public string BakedFolder { get => bakedFolder; set => bakedFolder = value ?? ""; }

        /// <summary>Files of `segue bake` other than a folder below StreamingAssets; set it before Play.</summary>
        public IBakedFiles Baked { get; set; }

        /// <summary>Whether there is music for when the network is gone; loading it may take a while.</summary>
        public bool HasFallback => _session != null && _session.Mixer.Fallback.IsThere;

        private void UseBaked()
        {
            if (Baked == null)
            {
                LoadBaked();
                return;
            }
            _bakedOf = "";
            _baked = Read(Baked);
            Use();
        }

        /// <summary>Begin to load the folder, if it is not there yet; the session that is played by then gets it.</summary>
        private void LoadBaked()
        {
#if !UNITY_WEBGL || UNITY_EDITOR
            if (Baked != null || bakedFolder.Length == 0) return;
            if (_bakedOf != bakedFolder)
            {
                StopLoading();
                _baked = null;
                _bakedOf = bakedFolder;
            }
            if (_baked == null && _loading == null) FindBaked();
            else Use();
#endif
        }

        private void StopLoading()
        {
            if (_loading != null) StopCoroutine(_loading);
            _files?.Dispose();
            _loading = null;
            _files = null;
        }

        private void FindBaked()
        {
            if (!Application.streamingAssetsPath.Contains("://"))
            {
                BakedFolder found;
                try
                {
                    found = Read(new BakedFiles(bakedFolder));
                }
                catch (DirectoryNotFoundException error)
                {
                    NoBaked(error);
                    return;
                }
                // WAV files are read when they are needed; everything else has to be decoded by Unity, which takes its time.
                if (found == null || found.Files().All(StreamingFiles.IsWav))
                {
                    _baked = found;
                    Use();
                    return;
                }
            }
            if (isActiveAndEnabled) _loading = StartCoroutine(Load(bakedFolder));
        }

        private IEnumerator Load(string folder)
        {
            var files = _files = new StreamingFiles();
            yield return files.Load(folder, why => Debug.LogError("Segue: a baked file can't be had. " + why, this));
            if (files != _files) yield break;
            _loading = null;
            _files = null;
            _baked = files.Folder;
            Use();
        }

        private void Use()
        {
            var session = _session;
            if (session != null && _baked != null) session.Fallback.Use(_baked, initialState);
        }

        private BakedFolder Read(IBakedFiles files)
        {
            try
            {
                return new BakedFolder(files);
            }
            catch (Exception error) when (error is IOException || error is MalformedException)
            {
                NoBaked(error);
                return null;
            }
        }

        private void NoBaked(Exception error) => Debug.LogWarning("Segue: no fallback for when the network fails. " + error.Message, this);

        /// <summary>On a worker thread.</summary>
        private void FallbackFailed(Exception error)
        {
            if (!(error is StreamingFiles.MissingException)) Warn(error.Message);
        }
    }
}
